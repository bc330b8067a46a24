-- Collections whose query names a client.
SELECT name FROM collections FINAL WHERE deleted = 0 AND positionCaseInsensitive(query, {client:String}) > 0 ORDER BY name
