"""What is done to a scene before it is unmixed: noise measured, stripes and noise taken out."""
