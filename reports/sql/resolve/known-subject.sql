-- Subjects whose kind and id, or whose title, begin with a text.
SELECT if(startsWith(full, {begun:String}), full, called) AS name, if(name = full AND called != topic_id, called, '') AS title
FROM (SELECT concat(kind, '/', topic_id) AS full, subjects.title AS called, topic_id FROM subjects WHERE kind != 'other')
WHERE startsWith(full, {begun:String}) OR startsWith(lowerUTF8(called), lowerUTF8({begun:String}))
ORDER BY name
LIMIT 100
