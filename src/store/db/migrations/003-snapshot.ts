export const sql = `
CREATE TABLE snapshot (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('active', 'view', 'frozen')),
  key TEXT UNIQUE,
  parent INTEGER REFERENCES snapshot (id),
  chain TEXT UNIQUE,
  volatile INTEGER NOT NULL,
  unsynced_boot TEXT,
  usage_size INTEGER,
  usage_inodes INTEGER,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX snapshot_parent ON snapshot (parent);
CREATE INDEX snapshot_unsynced ON snapshot (unsynced_boot) WHERE unsynced_boot IS NOT NULL;
`
