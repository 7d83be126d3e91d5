export const sql = `
ALTER TABLE network_network ADD COLUMN facts TEXT;

CREATE TABLE network_sandbox (
  container TEXT PRIMARY KEY,
  facts TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO network_sandbox (container, facts) SELECT container, '{}' FROM network_endpoint;

CREATE TABLE network_endpoint_next (
  id TEXT PRIMARY KEY,
  network TEXT NOT NULL REFERENCES network_network (id),
  container TEXT NOT NULL REFERENCES network_sandbox (container),
  address TEXT,
  address6 TEXT,
  link TEXT,
  ready INTEGER NOT NULL,
  facts TEXT NOT NULL,
  UNIQUE (network, container),
  UNIQUE (network, address),
  UNIQUE (network, address6)
) STRICT, WITHOUT ROWID;

INSERT INTO network_endpoint_next (id, network, container, address, link, ready, facts)
  SELECT id, network, container, address, link, 1, '{}' FROM network_endpoint;

DROP TABLE network_endpoint;

ALTER TABLE network_endpoint_next RENAME TO network_endpoint;

CREATE TABLE network_port (
  container TEXT NOT NULL REFERENCES network_sandbox (container),
  container_port INTEGER NOT NULL,
  protocol TEXT NOT NULL,
  host_ip TEXT NOT NULL,
  host_port INTEGER NOT NULL,
  PRIMARY KEY (container, container_port, protocol, host_ip, host_port)
) STRICT, WITHOUT ROWID;
`
