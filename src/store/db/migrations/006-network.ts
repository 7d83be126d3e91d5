export const sql = `
CREATE TABLE network_network (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  driver TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  gateway TEXT,
  bridge TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE network_endpoint (
  id TEXT PRIMARY KEY,
  network TEXT NOT NULL REFERENCES network_network (id),
  container TEXT NOT NULL UNIQUE,
  address TEXT,
  link TEXT,
  UNIQUE (network, address)
) STRICT, WITHOUT ROWID;
`
