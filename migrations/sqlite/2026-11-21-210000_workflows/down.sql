DROP TABLE held_moves;
DROP TABLE order_workflows;
DROP TABLE workflows;
