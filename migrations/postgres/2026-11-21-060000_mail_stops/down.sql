-- Drops the choice of customers to get no mail.
DROP TABLE mail_stops;
