-- title: Titles that differ
-- group: Lookup
-- columns: title!, other_title!, claimed_time, topic_id, topic_type, client_id
-- empty: no two clients name one id differently
-- description: Titles that clients gave to an id after another client had named it differently: the first that arrived
--   stays, and a person's counts before any. Load a title of your own where the first one is wrong.
-- order: claimed_time DateTime64(6,'UTC') desc, topic_type UInt32, topic_id String, other_title String
-- note title: what the id is called now
-- note other_title: what this client calls it
-- note title_source: file = a person; pack; agent = the client that named it first
-- link netbios_name: /clients/{client_id}
-- with: named, titled
WITH
    first AS
    (
        SELECT topic_type, topic_id, title FROM topic_titles FINAL WHERE source = 'agent' AND deleted = 0
    ),
    others AS
    (
        SELECT c.topic_type AS topic_type, c.topic_id AS topic_id, c.title AS title, c.client_id AS client_id,
            c.claimed_time AS claimed_time
        FROM title_claims AS c FINAL
        INNER JOIN first ON first.topic_type = c.topic_type AND first.topic_id = c.topic_id
        WHERE c.title != first.title
    ),
    (SELECT groupUniqArray(client_id) FROM others) AS page_ids,
    (SELECT groupUniqArray(topic_id) FROM others) AS page_topics
SELECT
    if(titled.title != '', titled.title, first.title) AS title,
    others.title AS other_title,
    c.netbios_name AS netbios_name,
    others.claimed_time AS claimed_time,
    if(titled.title_source != '', titled.title_source, 'agent') AS title_source,
    others.topic_type AS topic_type,
    others.topic_id AS topic_id,
    others.client_id AS client_id
FROM others
INNER JOIN first ON first.topic_type = others.topic_type AND first.topic_id = others.topic_id
LEFT JOIN titled ON titled.titled_type = others.topic_type AND titled.titled_id = others.topic_id
LEFT JOIN (SELECT client_id, netbios_name FROM named) AS c ON c.client_id = others.client_id
