-- +goose NO TRANSACTION
-- +goose Up
-- Where the machines of the site stand on each deployment. percent and percent_low are rounded down, and NULL where no machine
-- has answered. outside is of the clients of this moment.
CREATE VIEW IF NOT EXISTS v_deployments AS
WITH
    (SELECT count() FROM clients_seen FINAL WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS scope_clients
SELECT
    s.title AS title,
    s.article AS article,
    s.severity AS severity,
    s.released AS released,
    s.grp AS grp,
    s.target AS target,
    CAST(c.counted, 'String') AS counted,
    if(good + not_compliant = 0, NULL, intDiv(1000 * good, greatest(good + not_compliant, 1)) / 10) AS percent,
    if(good + not_compliant + not_known = 0, NULL,
        intDiv(1000 * good, greatest(good + not_compliant + not_known, 1)) / 10) AS percent_low,
    c.good AS compliant,
    c.bad + c.pending + c.restart + c.failed AS not_compliant,
    c.bad AS bad,
    c.pending AS pending,
    c.restart AS restart,
    c.failed AS failed,
    c.na_said + c.na_implied AS not_applicable,
    c.said_unknown + c.other + arraySum(mapValues(c.not_known)) AS not_known,
    toUInt64(greatest(toInt64(scope_clients) - toInt64(good + not_compliant + not_applicable + not_known), 0)) AS outside,
    c.stale AS stale,
    c.first_seen AS first_seen,
    if(toUnixTimestamp64Milli(c.newest) = 0, NULL, c.newest) AS newest_change,
    c.oldest_bad AS oldest_required,
    c.topic_id AS topic_id
FROM (SELECT * FROM subject_counts FINAL WHERE deleted = 0 AND kind = 'deployment') AS c
INNER JOIN (SELECT topic_id, title, article, severity, released, grp, target FROM subjects WHERE kind = 'deployment') AS s
    ON s.topic_id = c.topic_id;
