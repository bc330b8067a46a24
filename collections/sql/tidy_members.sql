-- Removes the clients of revisions of a list that are in force no more.
ALTER TABLE collection_clients DELETE WHERE name = {name:String} AND revision != {revision:UInt64}
    SETTINGS mutations_sync = 1
