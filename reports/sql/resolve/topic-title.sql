-- The topic ids with a text in their title, of one type where that is said; those that are called so first.
SELECT topic_id, title, lowerUTF8(title) = lowerUTF8({text:String}) AS exact
FROM topic_id_titles
WHERE positionCaseInsensitiveUTF8(title, {text:String}) > 0 AND ({type:UInt32} = 0 OR topic_type = {type:UInt32})
GROUP BY topic_id, title
ORDER BY exact DESC, title, topic_id
LIMIT 11
