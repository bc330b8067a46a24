-- +goose NO TRANSACTION
-- +goose Up
-- Topic ids of which something was loaded since the summary, the smaller ones first, up to 300,000 states in all: they are
-- counted anew with every question, and the others are as old as the summary. New ones count as none.
CREATE VIEW IF NOT EXISTS subjects_fresh AS
SELECT topic_type, topic_id
FROM
(
    SELECT changed.topic_type AS topic_type, changed.topic_id AS topic_id,
        sum(known.held) OVER (ORDER BY known.held, changed.topic_type, changed.topic_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS total
    FROM subjects_changed AS changed
    LEFT JOIN (SELECT topic_type, topic_id, arraySum(clients) AS held FROM subject_now FINAL) AS known
        ON known.topic_type = changed.topic_type AND known.topic_id = changed.topic_id
)
WHERE total <= 300000;
