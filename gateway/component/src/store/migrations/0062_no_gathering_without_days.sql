DROP TRIGGER IF EXISTS stats_gathered
