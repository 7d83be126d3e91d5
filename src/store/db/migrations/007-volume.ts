export const sql = `
CREATE TABLE volume (
  name TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  labels TEXT NOT NULL,
  options TEXT NOT NULL,
  anonymous INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE volume_use (
  volume TEXT NOT NULL REFERENCES volume (name),
  container TEXT NOT NULL,
  PRIMARY KEY (volume, container)
) STRICT, WITHOUT ROWID;

CREATE INDEX volume_use_by_container ON volume_use (container);

CREATE TABLE volume_removal (
  folder TEXT PRIMARY KEY,
  volume TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`
