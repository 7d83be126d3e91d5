export const sql = `
CREATE TABLE content_blob (
  digest TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE content_ingest (
  key TEXT PRIMARY KEY,
  file TEXT NOT NULL UNIQUE,
  resume INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`
