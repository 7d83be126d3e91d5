export const sql = `
CREATE TABLE snapshot_damage (
  snapshot INTEGER PRIMARY KEY REFERENCES snapshot (id) ON DELETE CASCADE,
  why TEXT NOT NULL,
  found_at INTEGER NOT NULL
) STRICT;
`
