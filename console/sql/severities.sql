-- The severities that titles give, for pick lists. An update from a security archive is one of security without a title.
SELECT DISTINCT name
FROM
(
    SELECT CAST(severity, 'String') AS name FROM topic_titles FINAL WHERE deleted = 0
    UNION ALL
    SELECT 'security' AS name
)
WHERE name != ''
ORDER BY name
LIMIT 100
