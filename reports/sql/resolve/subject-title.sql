-- The subjects with a text in their title, those that are called so first.
SELECT kind, topic_type, topic_id, title, target, first_seen, lowerUTF8(title) = lowerUTF8({text:String}) AS exact
FROM subjects
WHERE positionCaseInsensitiveUTF8(title, {text:String}) > 0
ORDER BY exact DESC, title, kind, topic_id, topic_type
LIMIT 11
