CREATE TABLE IF NOT EXISTS refused_parameters (
  provider TEXT,
  model TEXT,
  parameter TEXT,
  calls INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (provider, model, parameter)
) WITHOUT ROWID
