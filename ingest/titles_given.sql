-- How many titles some clients were the first to give.
SELECT client_id, count()
FROM title_claims FINAL
WHERE client_id IN (SELECT client_id FROM format(JSONEachRow, 'client_id UUID', $1))
GROUP BY client_id
