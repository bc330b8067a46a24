-- Days that were counted while reports waited are final now.
INSERT INTO class_days (kind, day, class, pairs, machines, final, version)
SELECT kind, day, class, pairs, machines, 1, version + 1 FROM class_days FINAL WHERE final = 0
