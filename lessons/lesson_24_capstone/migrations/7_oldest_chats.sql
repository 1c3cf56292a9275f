-- The chats of all rooms in one order, so that the oldest ones can be deleted when the log
-- takes too much space.
ALTER TABLE chats RENAME TO chats_before;
CREATE TABLE chats (
    position  INTEGER PRIMARY KEY,
    room      TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    sender    TEXT    NOT NULL,
    id        TEXT,
    content   TEXT    NOT NULL,
    timestamp TEXT    NOT NULL,
    UNIQUE (room, seq)
) STRICT;
-- A clock may have been set back: then a chat is as old as the one before it in its room. (If a
-- chat were deleted before an older one of its room, nobody would notice that it is missing.)
INSERT INTO chats SELECT NULL, * FROM chats_before
    ORDER BY max(timestamp) OVER (PARTITION BY room ORDER BY seq), room, seq;
DROP TABLE chats_before;

-- A room without chats is forgotten then, too. If it is opened again, its numbers begin behind
-- this one, which is not less than any of theirs: no number is ever given twice.
ALTER TABLE chat_log ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
