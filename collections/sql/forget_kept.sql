-- Removes the kept members of a collection.
ALTER TABLE collection_now DELETE WHERE name = {name:String} SETTINGS mutations_sync = 1
