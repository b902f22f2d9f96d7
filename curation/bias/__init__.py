"""Words about people's gender, orientation, race, nationality, religion, disability and age, found in texts."""
