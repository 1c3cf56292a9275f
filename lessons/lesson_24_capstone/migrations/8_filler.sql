-- What GET /ready writes and removes, to find out whether the disk takes so much.
ALTER TABLE health ADD COLUMN filler BLOB NOT NULL DEFAULT x'';
