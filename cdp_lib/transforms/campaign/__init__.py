"""What campaigns did: who was assigned to which arm, what came back, what customers did before and after."""
