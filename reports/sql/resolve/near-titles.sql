-- Titles that look like a text.
SELECT title, min(ngramDistanceCaseInsensitiveUTF8(title, {text:String})) AS distance
FROM subjects
GROUP BY title
HAVING distance < 0.8
ORDER BY distance, title
LIMIT 5
