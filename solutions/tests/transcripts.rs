//! The stories that the book tells about the exercises are true of our answer.

use solutions::app;

probe::transcripts!(app(), "exercises");
