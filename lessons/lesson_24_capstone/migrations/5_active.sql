ALTER TABLE users ADD COLUMN is_active INTEGER NOT NULL DEFAULT 1;

-- When a user was created (RFC 3339). Of those who are older, this is when we began to note it.
ALTER TABLE users ADD COLUMN created_at TEXT NOT NULL DEFAULT '';
UPDATE users SET created_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now');
