-- The name of the log. A number of a room means something only together with it.
CREATE TABLE chat_log (id TEXT NOT NULL) STRICT;
INSERT INTO chat_log VALUES (lower(hex(randomblob(8))));

-- The last number of each room. It outlives the chats: no number is ever given twice.
CREATE TABLE chat_rooms (
    room TEXT    PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest chats of each room.
CREATE TABLE chats (
    room      TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    sender    TEXT    NOT NULL,
    id        TEXT,
    content   TEXT    NOT NULL,
    timestamp TEXT    NOT NULL,
    PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;

-- What was sent with an id, and the number that it got. Ids are kept longer than chats:
-- somebody may send a chat again when it has long been replaced by newer ones.
CREATE TABLE chat_ids (
    position INTEGER PRIMARY KEY,
    sender   TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    room     TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    UNIQUE (sender, id)
) STRICT;
