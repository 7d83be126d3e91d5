export const sql = `
CREATE TABLE container (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  image TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  starting INTEGER NOT NULL DEFAULT 0,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`
