-- +goose NO TRANSACTION
-- +goose Up
-- The title of each topic type and id: that of its subject. Join it on both.
CREATE VIEW IF NOT EXISTS topic_id_titles AS
SELECT t.topic_type AS topic_type, t.topic_id AS topic_id, t.kind AS kind, s.title AS title, s.title_source AS title_source
FROM (SELECT kind, topic_type, topic_id, if(kind = 'other', topic_type, 0) AS other_type FROM subject_types) AS t
INNER JOIN (SELECT kind, topic_id, if(kind = 'other', topic_type, 0) AS other_type, title, title_source FROM subjects) AS s
    ON s.kind = t.kind AND s.topic_id = t.topic_id AND s.other_type = t.other_type;
