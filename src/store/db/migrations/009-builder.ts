export const sql = `
CREATE TABLE builder_record (
  key TEXT PRIMARY KEY,
  prefix TEXT NOT NULL,
  kind TEXT NOT NULL,
  description TEXT NOT NULL,
  ingredients TEXT NOT NULL,
  chain TEXT,
  created TEXT NOT NULL,
  size INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL,
  usage_count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX builder_record_prefix ON builder_record (prefix);
CREATE INDEX builder_record_chain ON builder_record (chain);
`
