ALTER TABLE collection_clients DELETE WHERE name = {name:String} AND revision != {revision:UInt64}
