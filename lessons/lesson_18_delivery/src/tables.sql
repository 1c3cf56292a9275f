-- Whose file this is: "chat" in ASCII.
PRAGMA application_id = 1667785076;

-- The name of this log. A number of a room means something only together with it.
CREATE TABLE IF NOT EXISTS log (id TEXT NOT NULL) STRICT;
INSERT INTO log SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT 1 FROM log);

-- The last number of each room. It outlives the chats: no number is ever given twice.
CREATE TABLE IF NOT EXISTS rooms (
    room TEXT    PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest chats of each room.
CREATE TABLE IF NOT EXISTS chats (
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
CREATE TABLE IF NOT EXISTS ids (
    position INTEGER PRIMARY KEY,
    sender   TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    room     TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    UNIQUE (sender, id)
) STRICT;
