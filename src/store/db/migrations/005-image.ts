export const sql = `
CREATE TABLE image (
  id TEXT PRIMARY KEY,
  chain TEXT,
  parent TEXT,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE image_name (
  name TEXT PRIMARY KEY,
  image TEXT NOT NULL REFERENCES image (id),
  tagged_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX image_name_image ON image_name (image);

CREATE TABLE image_manifest (
  image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  known_at INTEGER NOT NULL,
  PRIMARY KEY (image, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_manifest_digest ON image_manifest (digest);

CREATE TABLE image_blob (
  image TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  PRIMARY KEY (image, digest)
) STRICT, WITHOUT ROWID;
`
