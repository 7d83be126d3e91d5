/** Not used since leases are kept in memory; earlier versions of the program still look here. */
export const sql = `
CREATE TABLE lease (
  id TEXT PRIMARY KEY,
  run TEXT NOT NULL,
  purpose TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lease_resource (
  lease TEXT NOT NULL REFERENCES lease (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (lease, kind, id)
) STRICT, WITHOUT ROWID;
`
