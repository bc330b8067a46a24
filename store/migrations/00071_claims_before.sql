-- +goose NO TRANSACTION
-- +goose Up
-- Claims that were believed before they were measured. What else these clients
-- claimed they say again at their next poll; when they polled last stays known.
INSERT INTO claims_aside (client_id, last_serial, seen_serial, claimed_time)
SELECT c.client_id, c.last_serial, s.last_serial, c.claimed_time
FROM
(
    SELECT client_id, max(client_claims.last_serial) AS last_serial, max(client_claims.claimed_time) AS claimed_time
    FROM client_claims
    GROUP BY client_id
    HAVING last_serial > 1000000
) AS c
LEFT JOIN
(
    SELECT client_id, max(client_stats_data.last_serial) AS last_serial FROM client_stats_data GROUP BY client_id
) AS s ON s.client_id = c.client_id
WHERE c.last_serial > s.last_serial + 1000000;
ALTER TABLE client_claims DELETE WHERE last_serial > 1000000 AND client_id IN (SELECT client_id FROM claims_aside)
SETTINGS mutations_sync = 1, allow_nondeterministic_mutations = 1;
INSERT INTO client_claims (client_id, last_serial, claimed_time)
SELECT client_id, 0, claimed_time
FROM claims_aside FINAL;
