-- +goose NO TRANSACTION
-- +goose Up
-- The claim that arrived first has the greatest version.
CREATE MATERIALIZED VIEW IF NOT EXISTS title_claims_feed TO topic_titles AS
SELECT topic_id, topic_type, 'agent' AS source, title, '' AS kind, '' AS article, '' AS severity, CAST(NULL, 'Nullable(Date)') AS released,
    '' AS url, '' AS grp, '' AS target, '' AS superseded_by, claimed_time AS changed_time, toUInt8(0) AS deleted,
    bitNot(toUInt64(toUnixTimestamp64Micro(claimed_time))) AS version
FROM title_claims;
