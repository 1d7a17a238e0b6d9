"""The CNI plugin `moorage`: one container runtime call in, one JSON document or nothing out."""
