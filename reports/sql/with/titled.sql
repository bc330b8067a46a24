-- Titles of the topic ids in page_topics, which the query itself says, by type and id.
    titled AS
    (
        SELECT topic_type AS titled_type, topic_id AS titled_id, title, title_source
        FROM topic_id_titles
        WHERE topic_id IN (SELECT arrayJoin(page_topics))
    ),
