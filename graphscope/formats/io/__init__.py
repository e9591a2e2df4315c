"""Bytes in and out: checked reading, whole writing, and the containers that several formats share."""
