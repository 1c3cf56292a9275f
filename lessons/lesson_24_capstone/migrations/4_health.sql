-- What GET /ready changes, to find out whether a change is possible.
CREATE TABLE health (checks INTEGER NOT NULL) STRICT;
INSERT INTO health VALUES (0);
