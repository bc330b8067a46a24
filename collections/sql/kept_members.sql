-- The kept members of a saved query.
SELECT client_id FROM collection_now FINAL WHERE name = {name:String} AND member = 1
