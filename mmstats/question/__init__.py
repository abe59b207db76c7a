"""What is asked: the parameters of the stats query, and the question that texts ask; loads no engine."""
