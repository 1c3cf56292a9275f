-- Who has created a row, and may change it. What is older belongs to the operators.
ALTER TABLE users ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE posts ADD COLUMN owner TEXT NOT NULL DEFAULT '';
