"""Each check of the model, and the mistake that it is there for."""

import unittest

from model import KEPT, Model


class Story(unittest.TestCase):
    """Ana and Ben talk in a room, and Cem reads. Each test changes what happened."""

    def setUp(self):
        self.model = Model(lease=10.0)
        self.ana, self.ben, self.cem = (
            self.model.view(f"{name} in tea", "tea") for name in ("ana", "ben", "cem")
        )

    def chat(self, name, id, number, views=None, told=True, content="hello"):
        self.model.sends(name, id, "tea", content)
        if told:
            self.model.acknowledges(name, name, id, number)
        for view in views or (self.ana, self.ben, self.cem):
            self.model.receives(view, number, name, id, content)

    def expect(self, kind, *words, count=1):
        counts = self.model.check()
        said = " | ".join(self.model.all_sentences())
        self.assertEqual({kind: count} if kind else {}, {k: n for k, n in counts.items() if n}, said)
        for word in words:
            self.assertIn(word, said)

    def test_a_room_in_which_all_is_well_has_no_findings(self):
        for number in range(1, 20):
            self.chat("ana" if number % 2 else "ben", f"id-{number}", 3 * number)
        self.chat("ana", "unknown", 90, told=False)
        self.expect(None)

    def test_an_acknowledged_chat_that_nobody_has_is_lost(self):
        self.model.sends("ana", "a-1", "tea", "hello")
        self.model.acknowledges("ana", "ana", "a-1", 7)
        self.expect("lost", "a-1 of ana was acknowledged as chat 7", "nobody there has received it")

    def test_a_chat_that_one_view_lacks_is_lost(self):
        self.chat("ana", "a-1", 5)
        self.chat("ana", "a-2", 6, [self.ana, self.ben])
        self.chat("ana", "a-3", 9)
        self.expect("lost", "cem in tea has not received 1 chats", "the first is 6", "acknowledged")

    def test_a_chat_that_comes_last_and_is_missing_is_lost_too(self):
        self.chat("ana", "a-1", 5)
        self.chat("ana", "a-2", 6, [self.ana])
        self.expect("lost", "cem in tea has not received 1 chats", count=2)

    def test_a_gap_for_which_there_is_no_reason_is_a_loss(self):
        for number in range(1, 11):
            self.chat("ana", f"a-{number}", number, [self.ana, self.ben])
        self.model.misses(self.cem, 11)
        self.chat("ana", "a-11", 11)
        self.expect("lost", "told that all before 11 is gone", "only 0 newer ones")

    def test_a_gap_is_right_when_so_many_newer_chats_are_kept(self):
        for number in range(1, KEPT + 11):
            self.chat("ana", f"a-{number}", number, [self.ana, self.ben])
        self.model.misses(self.cem, 11)
        for number in range(11, KEPT + 11):
            self.model.receives(self.cem, number, "ana", f"a-{number}", "hello")
        self.expect(None)

    def test_a_chat_with_two_numbers_is_double(self):
        self.chat("ana", "a-1", 5)
        self.chat("ana", "a-1", 8, told=False)
        self.expect("double", "a-1 of ana is in the room as 5 and 8")

    def test_an_acknowledgement_with_another_number_is_double(self):
        self.chat("ana", "a-1", 5)
        self.model.acknowledges("ana", "ana", "a-1", 8)
        self.expect("double", "before, it was 5")

    def test_a_chat_that_a_view_has_twice_is_double(self):
        self.chat("ana", "a-1", 5)
        self.model.receives(self.cem, 5, "ana", "a-1", "hello")
        self.expect("double", "cem in tea has received chat 5 of tea twice")

    def test_a_smaller_number_after_a_greater_one_is_out_of_order(self):
        self.chat("ana", "a-1", 5, [self.ana, self.ben])
        self.chat("ana", "a-2", 6)
        self.model.receives(self.cem, 5, "ana", "a-1", "hello")
        self.expect("out of order", "cem in tea has received chat 5 of tea after 6")

    def test_a_chat_that_overtakes_one_of_its_sender_is_out_of_order(self):
        for id in "a-1", "a-2":
            self.model.sends("ana", id, "tea", "hello", sender="ana in tea")
        self.chat("ana", "a-2", 5)
        self.chat("ana", "a-1", 6)
        self.expect("out of order", "ana in tea has sent a-1 and then a-2, but their numbers are 6 and 5")

    def test_two_chats_with_one_number_are_wrong(self):
        self.chat("ana", "a-1", 5, [self.ana, self.ben])
        self.model.sends("ben", "b-1", "tea", "hi")
        self.model.receives(self.cem, 5, "ben", "b-1", "hi")
        self.expect("wrong", "one number, two chats")

    def test_an_acknowledgement_that_differs_from_the_views_is_wrong(self):
        self.chat("ana", "a-1", 5, told=False)
        self.model.acknowledges("ana", "ana", "a-1", 6)
        self.expect("wrong", "told that a-1 is chat 6, but its number is 5")

    def test_words_that_nobody_wrote_are_wrong(self):
        self.model.sends("ana", "a-1", "tea", "hello")
        for view in (self.ana, self.ben, self.cem):
            self.model.receives(view, 5, "ana", "a-1", "goodbye")
        self.expect("wrong", "was not sent there")

    def hold(self, node, *numbers, received=()):
        hold = self.model.hold("finn", "finn", "tea", node)
        hold.acknowledged += numbers
        hold.received += received

    def test_one_after_the_other_may_have_a_name(self):
        self.hold("node 1", 3, 5, received=[6, 7])
        self.hold("node 2", 8, 9)
        self.hold("node 1")
        self.expect(None)

    def test_two_who_write_at_once_were_granted_one_name(self):
        self.hold("node 1", 3, 9)
        self.hold("node 2", 5, 7)
        self.expect("granted twice", "finn in tea had two owners", "acknowledgement for chat 9")

    def test_who_still_receives_when_another_writes_has_the_name_too(self):
        self.hold("node 1", 3, received=[4, 6])
        self.hold("node 2", 5)
        self.expect("granted twice", "older one to node 1 got chat 6")

    def stay(self, name, *events, opened=0.0, is_late=(), newest=0, caught_up=True):
        stay = self.model.stay(f"{name} in tea", name, "tea", opened, is_late)
        stay.newest = newest
        if caught_up:
            stay.events.append((1, "joined", None, "vera"))
        for when, (kind, what) in enumerate(events, start=2):
            if kind == "chat":
                stay.events.append((when, kind, what, "finn"))
            else:
                stay.events.append((when, kind, None, what))

    def test_who_joins_and_leaves_in_turn_is_announced_well(self):
        self.chat("finn", "f-1", 1)
        self.chat("finn", "f-2", 4)
        events = ("left", "gina"), ("chat", 1), ("joined", "gina"), ("chat", 4), ("left", "gina")
        self.stay("ines", *events)
        self.stay("jona", *events[1:])
        self.expect(None)
        self.assertEqual(self.model.compared, 1)

    def test_who_joins_twice_is_announced_badly(self):
        self.stay("ines", ("joined", "gina"), ("joined", "gina"))
        self.expect("announcements", "told twice that gina has joined tea")

    def test_who_leaves_twice_is_announced_badly(self):
        self.stay("ines", ("left", "gina"), ("left", "gina"))
        self.expect("announcements", "told twice that gina has left tea")

    def test_who_has_left_does_not_write(self):
        self.chat("finn", "f-1", 1)
        self.stay("ines", ("left", "finn"), ("chat", 1))
        self.expect("announcements", "chat 1 of finn, who had left tea and not joined again")

    def test_what_one_was_told_and_another_was_not_is_announced_badly(self):
        self.chat("finn", "f-1", 1)
        self.chat("finn", "f-2", 4)
        self.stay("ines", ("chat", 1), ("joined", "gina"), ("chat", 4))
        self.stay("jona", ("chat", 1), ("chat", 4))
        self.expect("announcements", "ines in tea was told: gina joined", "jona in tea: nothing")

    def test_nobody_is_told_of_himself(self):
        self.chat("finn", "f-1", 1)
        self.chat("finn", "f-2", 4)
        self.stay("ines", ("chat", 1), ("left", "jona"), ("chat", 4))
        self.stay("jona", ("chat", 1), ("chat", 4))
        self.expect(None)

    def test_who_resumes_in_time_is_not_announced(self):
        self.model.absences["tea", "jona"] += [(0.0, 1.5)]
        self.stay("ines", ("left", "jona"))
        self.expect("announcements", "told that jona has left tea, but jona has only changed its connection")

    def test_who_was_away_for_longer_is_announced(self):
        self.model.absences["tea", "jona"] += [(-9.0, 2.5)]
        self.stay("ines", ("left", "jona"), ("joined", "jona"))
        self.expect(None)

    def test_an_outage_excuses_what_nobody_could_be_told(self):
        self.chat("finn", "f-1", 1)
        self.chat("finn", "f-2", 4)
        self.model.outages.append((2.5, 3.5))
        self.stay("ines", ("chat", 1), ("joined", "gina"), ("chat", 4))
        self.stay("jona", ("chat", 1), ("chat", 4))
        self.expect(None)

    def test_whose_node_has_fallen_behind_is_told_late_or_not_at_all(self):
        self.model.absences["tea", "lena"] += [(0.0, 0.1)]
        self.chat("finn", "f-1", 1)
        self.chat("finn", "f-2", 4)
        self.stay("ines", ("chat", 1), ("joined", "gina"), ("chat", 4))
        self.stay("jona", ("chat", 1), ("left", "lena"), ("chat", 4), is_late=[(2.5, 3.5)])
        self.expect(None)

    def test_whose_node_has_fallen_behind_may_have_missed_who_has_come_back(self):
        self.chat("finn", "f-1", 1)
        self.stay("ines", ("left", "finn"), ("chat", 1), is_late=[(2.4, 2.6)])
        self.expect(None)

    def test_chats_of_the_log_come_without_who_joined_in_between(self):
        self.chat("finn", "f-1", 1)
        self.chat("finn", "f-2", 4)
        self.stay("ines", ("chat", 1), ("joined", "gina"), ("chat", 4))
        self.stay("jona", ("chat", 1), ("chat", 4), newest=4)
        self.expect(None)

    def test_who_is_behind_has_new_chats_from_the_log_too_and_is_told_afterwards(self):
        self.chat("finn", "f-1", 1)
        self.chat("finn", "f-2", 4)
        self.stay("ines", ("chat", 1), ("joined", "gina"), ("chat", 4))
        self.stay("jona", ("chat", 1), ("chat", 4), ("joined", "gina"), caught_up=False)
        self.expect(None)


if __name__ == "__main__":
    unittest.main()
