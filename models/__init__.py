"""What is learned: encoders and heads. Imports neither `transforms` nor `pipelines`."""
