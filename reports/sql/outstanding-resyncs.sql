-- title: Outstanding resyncs, as administrators count them
-- group: Completeness
-- columns: question!, clients!
-- empty: nobody was asked to send everything again
-- description: The two classic questions to a site's statistics of clients: how many were asked again after they had
--   answered before, and how many were asked and have never answered.
SELECT question, clients
FROM
(
    SELECT 'asked again since the last answer' AS question, count() AS clients
    FROM SR_ClientMessageStats
    WHERE LastResyncIssuedTime IS NOT NULL AND LastResyncIssuedTime > LastResyncClientCompletedTime
      AND ClientID NOT IN (SELECT client_id FROM retired_clients)
    UNION ALL
    SELECT 'asked and never answered' AS question, count() AS clients
    FROM SR_ClientMessageStats
    WHERE LastResyncIssuedTime IS NOT NULL AND LastResyncClientCompletedTime IS NULL
      AND ClientID NOT IN (SELECT client_id FROM retired_clients)
)
ORDER BY question
