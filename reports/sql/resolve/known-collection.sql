-- Collections whose name begins with a text.
SELECT name FROM collections FINAL WHERE deleted = 0 AND startsWith(name, {begun:String}) ORDER BY name LIMIT 100
