export const sql = `
CREATE TABLE hub_manifest (
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  subject TEXT,
  artifact_type TEXT,
  annotations TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  PRIMARY KEY (space, repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX hub_manifest_subject ON hub_manifest (space, repository, subject);

CREATE TABLE hub_link (
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  manifest TEXT NOT NULL,
  digest TEXT NOT NULL,
  size INTEGER NOT NULL,
  kind TEXT NOT NULL,
  PRIMARY KEY (space, repository, manifest, digest),
  FOREIGN KEY (space, repository, manifest) REFERENCES hub_manifest (space, repository, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX hub_link_digest ON hub_link (space, repository, digest);

CREATE TABLE hub_tag (
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  tag TEXT NOT NULL,
  digest TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (space, repository, tag),
  FOREIGN KEY (space, repository, digest) REFERENCES hub_manifest (space, repository, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX hub_tag_digest ON hub_tag (space, repository, digest);

CREATE TABLE hub_blob (
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  used_at INTEGER NOT NULL,
  PRIMARY KEY (space, repository, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE hub_upload (
  id TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hub_listener (
  address TEXT PRIMARY KEY,
  options TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`
