-- Subjects of which a part of title, article or id is given, for suggestions.
SELECT kind, topic_type, topic_id, title
FROM subjects
WHERE {search:String} = '' OR positionCaseInsensitiveUTF8(title, {search:String}) > 0
   OR positionCaseInsensitiveUTF8(topic_id, {search:String}) > 0 OR positionCaseInsensitiveUTF8(article, {search:String}) > 0
ORDER BY positionCaseInsensitiveUTF8(title, {search:String}) != 1, title, kind, topic_id
LIMIT 20
