export const sql = `
CREATE TABLE layer (
  chain TEXT PRIMARY KEY,
  diff_id TEXT NOT NULL,
  snapshot INTEGER NOT NULL REFERENCES snapshot (id) ON DELETE CASCADE,
  size INTEGER NOT NULL,
  content INTEGER NOT NULL,
  rules INTEGER,
  added INTEGER,
  changed INTEGER,
  removed INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX layer_snapshot ON layer (snapshot);
CREATE INDEX layer_diff_id ON layer (diff_id);

CREATE TABLE layer_blob (
  diff_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  PRIMARY KEY (diff_id, digest)
) STRICT, WITHOUT ROWID;
`
